# SPDX-License-Identifier: Apache-2.0
# Read by cpack once for each kind of package.
if(CPACK_GENERATOR STREQUAL "RPM")
  # Without what is for Debian's tools only (component debian).
  set(CPACK_INSTALL_CMAKE_PROJECTS "${CPACK_CMAKE_BINARY_DIR_OF_DESKBELL};deskbell;Unspecified;/")
endif()
