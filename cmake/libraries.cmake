# SPDX-License-Identifier: Apache-2.0
# Every outside library, found once, as an imported target named dep::NAME.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
function(deskbell_dependency name module)
  pkg_check_modules(DEP_${name} REQUIRED IMPORTED_TARGET ${module})
  add_library(dep::${name} ALIAS PkgConfig::DEP_${name})
endfunction()
deskbell_dependency(confuse libconfuse)
deskbell_dependency(msgpack msgpack)
deskbell_dependency(zmq libzmq)
deskbell_dependency(czmq libczmq)
deskbell_dependency(curl libcurl)
deskbell_dependency(crypto libcrypto)
deskbell_dependency(rocksdb rocksdb)
deskbell_dependency(jansson jansson)
deskbell_dependency(xml2 libxml-2.0)

# Debian's CivetWeb ships no .pc file, and its CMake package names a program that the -dev package does not install.
find_path(CIVETWEB_INCLUDE_DIR civetweb.h REQUIRED)
find_library(CIVETWEB_LIBRARY civetweb REQUIRED)
add_library(dep_civetweb INTERFACE)
target_include_directories(dep_civetweb SYSTEM INTERFACE ${CIVETWEB_INCLUDE_DIR})
target_link_libraries(dep_civetweb INTERFACE ${CIVETWEB_LIBRARY} Threads::Threads)
add_library(dep::civetweb ALIAS dep_civetweb)

if(DESKBELL_TESTS)
  deskbell_dependency(cmocka cmocka)
endif()
