# SPDX-License-Identifier: Apache-2.0
# The worker's core. Its steps and texts are in flows.cmake.
add_library(test_http_stub STATIC ${CMAKE_SOURCE_DIR}/tests/unit/http_stub.c)
target_include_directories(test_http_stub PUBLIC ${CMAKE_SOURCE_DIR})
target_link_libraries(test_http_stub PUBLIC Threads::Threads)
deskbell_unit_test(client worker_core test_http_stub)
deskbell_unit_test(held worker_core)
deskbell_unit_test(link worker_core test_http_stub)
deskbell_unit_test(answers worker_core)
