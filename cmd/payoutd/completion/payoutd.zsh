#compdef payoutd
# zsh completion for payoutd: payoutd itself knows the words.
_payoutd() {
	local line
	local -a values texts open opentexts
	for line in "${(@f)$("$words[1]" complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
		local value="${line%%$'\t'*}" means="${line#*$'\t'}"
		if [[ $value == :files ]]; then
			[[ $PREFIX == --*=* ]] && compset -P '*='
			_files
			return
		fi
		[[ -n $value ]] || continue
		if [[ $value == *= ]]; then
			open+=("$value") opentexts+=("$value  $means")
		else
			values+=("$value") texts+=("$value  $means")
		fi
	done
	(($#values)) && compadd -l -d texts -a values
	(($#open)) && compadd -l -S '' -d opentexts -a open
	(($#values + $#open))
}
if [[ $funcstack[1] == _payoutd ]]; then
	_payoutd "$@" # autoloaded from fpath
else
	compdef _payoutd payoutd # sourced
fi
