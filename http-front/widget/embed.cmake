# SPDX-License-Identifier: Apache-2.0
# Turns widget.js, callback.js and support.html into widget_files.c. Run as: cmake -DOUT=... -DFROM=... -P embed.cmake
# The scripts are squeezed when the front starts (squeeze.h).
set(code "// Made by embed.cmake.\n#include \"http-front/widget/widget_files.h\"\n")
foreach(entry "widget.js|widget_file_script" "callback.js|widget_file_callback" "support.html|widget_file_support")
  string(REPLACE "|" ";" parts "${entry}")
  list(GET parts 0 file)
  list(GET parts 1 name)
  file(READ ${FROM}/${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND code "const char ${name}[] = {${bytes}0};\n")
endforeach()
# Bytes above 127 do not fit a signed char without a word.
string(REGEX REPLACE "0x([89a-f][0-9a-f])," "(char)0x\\1," code "${code}")
file(WRITE ${OUT} "${code}")
