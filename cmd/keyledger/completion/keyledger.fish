# fish completion of keyledger. Load it with: keyledger completion fish | source
function __keyledger_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] complete-words -- $words[2..-1] 2>/dev/null
end
complete -c keyledger -f -n 'count (__keyledger_complete) >/dev/null' -a '(__keyledger_complete)'
