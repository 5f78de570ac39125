package docs

import (
	"payout/sign"
	"payout/web"
)

// rulesInRussian has the texts of sign.Rules in Russian; the English ones are
// that table's own.
var rulesInRussian = map[sign.Rule]string{
	sign.RuleAuthorization:   "в запросе нет заголовка Authorization",
	sign.RuleScheme:          "заголовок Authorization начинается не со схемы OAuth",
	sign.RuleHeader:          `заголовок Authorization не является списком имя="значение в percent-encoding"`,
	sign.RuleRepeated:        "параметр стоит в заголовке Authorization дважды",
	sign.RuleUnknown:         "в заголовке Authorization есть параметр, который не oauth_* и не realm",
	sign.RuleMissing:         "обязательный параметр oauth_ отсутствует или пуст",
	sign.RuleMethod:          "oauth_signature_method должен быть " + sign.SignatureMethod,
	sign.RuleVersion:         "oauth_version, если он передан, должен быть " + sign.Version,
	sign.RuleTimestamp:       "oauth_timestamp должен быть положительным целым числом секунд",
	sign.RuleURL:             "метод пуст или URL не является абсолютным адресом http или https",
	sign.RuleQueryOAuth:      "параметр oauth_ стоит в строке запроса URL",
	sign.RuleBodyOnly:        "параметра oauth_ из тела нет в заголовке Authorization",
	sign.RuleBodyDiffers:     "параметр oauth_ в теле отличается от заголовка Authorization",
	sign.RuleBodyRepeated:    "параметр oauth_ стоит в теле дважды",
	sign.RuleBase64:          "oauth_signature не является стандартным Base64 с дополнением «=»",
	sign.RuleKey:             "нет пригодного ключа RSA длиной от 2048 до 4096 бит",
	sign.RuleSignatureLength: "длина oauth_signature не равна длине ключа: подпись обрезана или сделана другим ключом",
	sign.RuleSignature:       "oauth_signature не подходит к этому запросу и ключу: сравните базовые строки",
}

// ruleTexts are the texts of the rules of signing in a language, by rule.
func ruleTexts(lang web.Lang) map[string]string {
	texts := make(map[string]string)
	for _, row := range sign.Rules() {
		texts[string(row.Rule)] = row.Text
		if lang == web.Russian {
			texts[string(row.Rule)] = rulesInRussian[row.Rule]
		}
	}
	return texts
}
