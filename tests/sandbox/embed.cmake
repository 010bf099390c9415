# SPDX-License-Identifier: Apache-2.0
# Turns the files of pages/ into one C file with the table sb_page_files. Run as: cmake -DOUT=... -DPAGES=... -P embed.cmake
set(table "")
set(code "// Made by embed.cmake.\n#include \"pages.h\"\n")
set(number 0)
foreach(entry "/shop|shop.html|text/html" "/desk|desk.html|text/html" "/sandbox/shop.js|shop.js|text/javascript"
              "/js/widget.js|freshchat.js|text/javascript" "/1/1.js|freshchat.js|text/javascript"
              "/sandbox/desk.js|desk.js|text/javascript" "/sandbox/style.css|style.css|text/css"
              "/sandbox/goods.svg|goods.svg|image/svg+xml")
  string(REPLACE "|" ";" parts "${entry}")
  list(GET parts 0 path)
  list(GET parts 1 file)
  list(GET parts 2 type)
  file(READ ${PAGES}/${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND code "static const unsigned char file_${number}[] = {${bytes}};\n")
  string(APPEND table "    {\"${path}\", \"${type}; charset=utf-8\", file_${number}, sizeof file_${number}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUT} "${code}const struct sb_page_file sb_page_files[] = {\n${table}    {0},\n};\n")
