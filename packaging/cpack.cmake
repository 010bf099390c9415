# SPDX-License-Identifier: Apache-2.0
# Read by cpack once for each package and each kind of it. The daemon's package has no sandbox in it, and what is for
# Debian's tools only (component debian) is not in an rpm.
if(NOT CPACK_DESKBELL_SANDBOX)
  set(CPACK_INSTALL_CMAKE_PROJECTS "${CPACK_CMAKE_BINARY_DIR_OF_DESKBELL};deskbell;Unspecified;/")
  if(CPACK_GENERATOR STREQUAL "DEB")
    list(APPEND CPACK_INSTALL_CMAKE_PROJECTS "${CPACK_CMAKE_BINARY_DIR_OF_DESKBELL};deskbell;debian;/")
  endif()
endif()
