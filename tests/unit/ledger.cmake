# SPDX-License-Identifier: Apache-2.0
# Ledger, mailbox, committer; gates and heap are built from their sources, since they know no other file of the dispatcher.
deskbell_unit_test(ledger front_ledger)
deskbell_unit_test(ledger_backup front_ledger Threads::Threads)
deskbell_unit_test(ledger_clock front_ledger Threads::Threads)
deskbell_unit_test(ledger_crash front_ledger)
deskbell_unit_test(ledger_damage front_ledger)
deskbell_unit_test(ledger_disk front_ledger Threads::Threads)
deskbell_unit_test(ledger_million front_ledger Threads::Threads)
deskbell_unit_test(ledger_powercut front_ledger Threads::Threads)
target_sources(test_ledger_powercut PRIVATE ${CMAKE_SOURCE_DIR}/tests/unit/recorded_disk.c)
deskbell_unit_test(ledger_refused front_ledger dep::rocksdb)
deskbell_unit_test(ledger_v1 front_ledger)
set_tests_properties(unit_ledger_million unit_ledger_powercut PROPERTIES PROCESSORS 2)
# Wrote tests/data/ledger-v1; built on demand only, to keep it compiling.
add_executable(ledger_v1_make EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/unit/ledger_v1_make.c)
target_link_libraries(ledger_v1_make PRIVATE front_ledger)
deskbell_unit_test(mailbox front_ledger Threads::Threads)
deskbell_unit_test(committer front_ledger Threads::Threads)
deskbell_unit_test(committer_trouble front_ledger Threads::Threads)
# The disk that fails and the disk that fills: the test's own functions stand before the ledger's.
foreach(name committer committer_trouble)
  target_link_options(test_${name} PRIVATE -Wl,--wrap=ledger_write -Wl,--wrap=ledger_free_bytes)
endforeach()
if(DESKBELL_SANITIZE MATCHES "thread")
  set_tests_properties(unit_ledger unit_ledger_backup unit_ledger_clock unit_ledger_crash unit_ledger_damage unit_ledger_disk unit_ledger_million
    unit_ledger_powercut unit_ledger_refused
    unit_ledger_v1 unit_mailbox unit_committer
    unit_committer_trouble PROPERTIES
    ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp")
endif()
foreach(name gates gates_minute)
  deskbell_unit_test(${name} proto_records)
  target_sources(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/http-front/dispatch/gates.c)
endforeach()
deskbell_unit_test(heap)
target_sources(test_heap PRIVATE ${CMAKE_SOURCE_DIR}/http-front/dispatch/heap.c)
