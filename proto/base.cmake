# SPDX-License-Identifier: Apache-2.0
# What every process needs, and deskbelld needs nothing more: libc and libConfuse only.
add_library(proto_base STATIC
  clock.c config.c config_check.c config_sample.c config_store.c config_table.c config_text.c config_together.c landlock.c log.c log_escape.c log_json.c phone.c pipes.c secret.c)
target_include_directories(proto_base PUBLIC ${CMAKE_SOURCE_DIR})
target_link_libraries(proto_base PUBLIC dep::confuse)
