# bash completion for payoutd: payoutd itself knows the words.
_payoutd() {
	local IFS=$'\n' found
	found=$("$1" complete --line="${COMP_LINE:0:COMP_POINT}" --tail="$2" 2>/dev/null | cut -f1)
	if [[ $found == :files ]]; then
		COMPREPLY=($(compgen -f -- "$2"))
		compopt -o filenames 2>/dev/null # not in bash 3.2
		return
	fi
	COMPREPLY=($found)
	if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
		compopt -o nospace 2>/dev/null # the value follows
	fi
}
complete -F _payoutd payoutd
