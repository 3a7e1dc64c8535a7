# What each setting means, from the comments beside it in semiagcl/settings/*.h, as lines of a C++ table: {"key", "meaning"},
/^struct [A-Za-z]*Settings \{/ { section = tolower($2); sub(/settings$/, "", section); section = section == "run" ? "" : section "."; inside = 1; next }
/^struct Method \{/ { section = "method."; inside = 1; next }
/^\};/ { inside = 0 }
!inside { next }
/^ *\/\/\/ / { sub(/^ *\/\/\/ /, ""); meaning = meaning $0 " "; next }
/^ *\/\/ / || /^ *$/ { meaning = ""; next }
{
  field = field $0
  if (field !~ /;/) next  # a long one has two lines
  text = meaning
  if (at = index(field, "///< ")) text = text substr(field, at + 5)
  sub(/;.*/, "", field)
  gsub(/"[^"]*"|[{].*[}]/, "", field)
  sub(/^ *[A-Za-z_:<>0-9]+ /, "", field)  # the type
  n = split(field, names, ",")
  gsub(/\\/, "\\\\", text)
  gsub(/"/, "\\\"", text)
  sub(/ *$/, "", text)
  for (i = 1; i <= n; ++i) {
    sub(/^ */, "", names[i])
    sub(/ *=.*/, "", names[i])
    if (text != "") printf "{\"%s%s\", \"%s\"},\n", section, names[i], text
  }
  meaning = field = ""
}
