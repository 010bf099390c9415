# SPDX-License-Identifier: Apache-2.0
# What crosses process borders: records and steps.
deskbell_unit_test(records proto_records)
deskbell_unit_test(records_bytes proto_records)
deskbell_unit_test(steps proto_records)
# Compiles records.c itself, with a table of a later version.
deskbell_unit_test(records_older dep::msgpack)
target_sources(test_records_older PRIVATE ${CMAKE_SOURCE_DIR}/proto/arena.c)
