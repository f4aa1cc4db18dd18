# bash completion of keyledger. Load it with: source <(keyledger completion bash)
_keyledger() {
  local IFS=$'\n'
  local words=("${COMP_WORDS[@]:1:COMP_CWORD}")
  # bash splits --flag=value into three words; put them together again.
  local joined=() word
  for word in "${words[@]}"; do
    if [[ ${#joined[@]} -gt 0 && ( $word == "=" || ${joined[-1]} == --*= ) ]]; then
      joined[-1]+=$word
    else
      joined+=("$word")
    fi
  done
  COMPREPLY=($("${COMP_WORDS[0]}" complete-words -- "${joined[@]}" 2>/dev/null))
  if [[ ${joined[-1]} == --*=* ]]; then
    COMPREPLY=("${COMPREPLY[@]#*=}")
  fi
}
complete -o default -F _keyledger keyledger
