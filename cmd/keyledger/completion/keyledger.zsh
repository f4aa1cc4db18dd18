#compdef keyledger
# zsh completion of keyledger. Load it with: source <(keyledger completion zsh)
_keyledger() {
  local -a candidates
  candidates=("${(@f)$("${words[1]}" complete-words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  candidates=(${candidates:#})
  if (( ${#candidates} )); then
    compadd -- "${candidates[@]}"
  else
    _files
  fi
}
compdef _keyledger keyledger
