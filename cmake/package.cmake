# SPDX-License-Identifier: Apache-2.0
# What is installed where, and how CPack makes a deb and an rpm of it: `./dev package`. The layout is the same in both.
set(DESKBELL_MAINTAINER "Deskbell maintainers <maintainers@deskbell.example>" CACHE STRING "Name and address in packages")
set(DESKBELL_UNIT_DIR "lib/systemd/system" CACHE STRING "Where systemd's units go, below the prefix")
set(packaging ${CMAKE_SOURCE_DIR}/packaging)
set(made ${CMAKE_BINARY_DIR}/packaging)

# ---- manual pages; deskbell.conf(5) is written from the table that the parser reads
add_executable(deskbell-conf-page ${packaging}/man/conf_page.c)
target_link_libraries(deskbell-conf-page PRIVATE proto_base)
set_target_properties(deskbell-conf-page PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${made})
foreach(page deskbelld.8 deskbellctl.8 deskbell.7 deskbell-sandbox.1)
  configure_file(${packaging}/man/${page}.in ${made}/man/${page} @ONLY)
endforeach()
set(DEBIAN_SOURCE deskbell)
configure_file(${packaging}/debian/changelog.in ${made}/changelog @ONLY)
set(DEBIAN_SOURCE deskbell-sandbox)
configure_file(${packaging}/debian/changelog.in ${made}/sandbox-changelog @ONLY)
add_custom_command(
  OUTPUT ${made}/man/deskbell.conf.5
  COMMAND deskbell-conf-page > ${made}/man/deskbell.conf.5
  DEPENDS deskbell-conf-page VERBATIM)

# Compressed as Debian wants it: without a time of its own, so that two builds are the same.
set(compressed)
foreach(file man/deskbelld.8 man/deskbellctl.8 man/deskbell.7 man/deskbell.conf.5 man/deskbell-sandbox.1 changelog sandbox-changelog)
  add_custom_command(
    OUTPUT ${made}/${file}.gz
    COMMAND gzip -9nkf ${made}/${file}
    DEPENDS ${made}/${file} VERBATIM)
  list(APPEND compressed ${made}/${file}.gz)
endforeach()
add_custom_target(packaging-files ALL DEPENDS ${compressed})

# ---- where things go
install(TARGETS deskbelld RUNTIME DESTINATION sbin)
install(TARGETS deskbellctl RUNTIME DESTINATION bin)
# Below the prefix by a relative path: CPack takes what has an absolute one for configuration.
string(REGEX REPLACE "^/usr/" "" libexec "${DESKBELL_LIBEXEC}")
install(TARGETS deskbell-front deskbell-worker RUNTIME DESTINATION ${libexec})
install(FILES ${CMAKE_SOURCE_DIR}/etc/deskbell.conf DESTINATION /etc/deskbell)
install(DIRECTORY DESTINATION /etc/deskbell/credentials
  DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE)
install(FILES ${packaging}/systemd/deskbell.service ${packaging}/systemd/deskbell.socket ${packaging}/systemd/deskbell-admin.socket
  DESTINATION ${DESKBELL_UNIT_DIR})
install(FILES ${packaging}/systemd/deskbell.sysusers DESTINATION lib/sysusers.d RENAME deskbell.conf)
install(FILES ${packaging}/systemd/deskbell.tmpfiles DESTINATION lib/tmpfiles.d RENAME deskbell.conf)
install(FILES ${made}/man/deskbelld.8.gz ${made}/man/deskbellctl.8.gz DESTINATION share/man/man8)
install(FILES ${made}/man/deskbell.conf.5.gz DESTINATION share/man/man5)
install(FILES ${made}/man/deskbell.7.gz DESTINATION share/man/man7)
install(FILES ${packaging}/completion/deskbellctl DESTINATION share/bash-completion/completions)
install(FILES ${packaging}/debian/copyright ${made}/changelog.gz DESTINATION share/doc/deskbell)
install(FILES ${packaging}/debian/lintian-overrides DESTINATION share/lintian/overrides RENAME deskbell
  COMPONENT debian)
install(FILES ${packaging}/monitoring/deskbell-dashboard.json ${packaging}/monitoring/deskbell-alerts.yml DESTINATION share/deskbell)
install(DIRECTORY ${packaging}/proxy/ DESTINATION share/doc/deskbell/examples
  FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)

# ---- the sandbox's package; its program is installed by tests/sandbox
install(FILES ${made}/man/deskbell-sandbox.1.gz DESTINATION share/man/man1 COMPONENT sandbox)
install(FILES ${packaging}/sandbox/README ${packaging}/debian/copyright DESTINATION share/doc/deskbell-sandbox COMPONENT sandbox)
install(FILES ${made}/sandbox-changelog.gz DESTINATION share/doc/deskbell-sandbox RENAME changelog.gz COMPONENT sandbox)
configure_file(${packaging}/cpack-sandbox.cmake.in ${CMAKE_BINARY_DIR}/CPackSandbox.cmake @ONLY)

# ---- both packages
set(CPACK_PACKAGE_NAME deskbell)
set(CPACK_PACKAGE_VENDOR "The Deskbell authors")
set(CPACK_PACKAGE_CONTACT ${DESKBELL_MAINTAINER})
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "joins Freshchat conversations to Freshdesk tickets")
set(CPACK_PACKAGE_DESCRIPTION "The moment a shopper writes in a shop's chat, a helpdesk ticket
exists; what the agent answers in the ticket is in the chat within
two seconds. Every event is on disk before its webhook is answered,
and a call that may have arrived is looked up before it is repeated.
.
It serves classic Freshchat accounts that have an API of their own.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)

# ---- deb
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Beside the libraries, which are computed: adduser is called by postinst.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "nginx-light | nginx | haproxy, bash-completion")
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${packaging}/debian/conffiles ${packaging}/debian/postinst ${packaging}/debian/prerm ${packaging}/debian/postrm)

# ---- rpm: what CPack does not take from the installed files. Libraries are found by rpmbuild, by their sonames, so it has
# to be built on the distribution that it is for.
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE Apache-2.0)
set(CPACK_RPM_PACKAGE_GROUP "System Environment/Daemons")
set(CPACK_RPM_PACKAGE_SUMMARY "Joins Freshchat conversations to Freshdesk tickets")
set(CPACK_RPM_PACKAGE_AUTOREQ ON)
set(CPACK_RPM_PACKAGE_RELOCATABLE OFF)
string(REPLACE "\n.\n" "\n\n" CPACK_RPM_PACKAGE_DESCRIPTION "${CPACK_PACKAGE_DESCRIPTION}")
set(CPACK_RPM_PACKAGE_REQUIRES_PRE "shadow-utils")
set(CPACK_RPM_PRE_INSTALL_SCRIPT_FILE ${packaging}/rpm/pre)
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${packaging}/rpm/post)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE ${packaging}/rpm/preun)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${packaging}/rpm/postun)
set(CPACK_RPM_USER_FILELIST
  "%config(noreplace) /etc/deskbell/deskbell.conf" "%dir %attr(0750,root,deskbell) /etc/deskbell/credentials")
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
  /etc /usr/sbin /usr/libexec /usr/lib/systemd /usr/lib/systemd/system /usr/lib/sysusers.d /usr/lib/tmpfiles.d /usr/share/man
  /usr/share/man/man5 /usr/share/man/man7 /usr/share/man/man8 /usr/share/doc /usr/share/bash-completion
  /usr/share/bash-completion/completions)
set(CPACK_RPM_SPEC_MORE_DEFINE "%define _build_id_links none
%define packager ${DESKBELL_MAINTAINER}
%define use_source_date_epoch_as_buildtime 1
%define __brp_mangle_shebangs %{nil}")

set(CPACK_GENERATOR DEB)
set(CPACK_CMAKE_BINARY_DIR_OF_DESKBELL ${CMAKE_BINARY_DIR})
set(CPACK_PROJECT_CONFIG_FILE ${packaging}/cpack.cmake)
include(CPack)
