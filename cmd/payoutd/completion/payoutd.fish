# fish completion for payoutd: payoutd itself knows the words.
function __payoutd_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l found ($words[1] complete -- $words[2..-1] $last 2>/dev/null)
    if string match -q ':files*' -- $found[1]
        __fish_complete_path (string replace -r '^--[^=]*=' '' -- $last)
        return
    end
    printf '%s\n' $found
end
complete -c payoutd -f -a '(__payoutd_complete)'
