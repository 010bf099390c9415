# SPDX-License-Identifier: Apache-2.0
deskbell_unit_test(mask front_intake)
deskbell_unit_test(confine proto_records proto_base Threads::Threads)
target_sources(test_confine PRIVATE ${CMAKE_SOURCE_DIR}/http-front/confine.c)
# The server's half of TLS; Deskbell itself needs libcrypto only.
find_package(OpenSSL REQUIRED COMPONENTS SSL Crypto)
deskbell_unit_test(tls worker_core OpenSSL::SSL)
