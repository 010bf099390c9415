# SPDX-License-Identifier: Apache-2.0
# Frames between front and workers and the values of the ledger. Needs msgpack; deskbelld does not link it.
add_library(proto_records STATIC arena.c records.c seam.c steps.c)
target_include_directories(proto_records PUBLIC ${CMAKE_SOURCE_DIR})
target_link_libraries(proto_records PUBLIC proto_base dep::msgpack)
