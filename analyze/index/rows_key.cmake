# Writes what the rows of an index depend on as one number: the checksum of the sources named in the file
# LIST, as a string of C++ into OUTPUT.
file(STRINGS ${LIST} sources)
set(sums)
foreach(source ${sources})
  file(SHA256 ${source} sum)
  string(APPEND sums ${sum})
endforeach()
string(SHA256 key "${sums}")
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "\"${key}\"\n" @ONLY)
