# SPDX-License-Identifier: Apache-2.0
# Ledger, mailbox, committer; gates and heap are built from their sources, since they know no other file of the dispatcher.
deskbell_unit_test(ledger front_ledger)
deskbell_unit_test(ledger_crash front_ledger)
deskbell_unit_test(ledger_refused front_ledger dep::rocksdb)
deskbell_unit_test(mailbox front_ledger Threads::Threads)
deskbell_unit_test(committer front_ledger Threads::Threads)
# The disk that fails and the disk that fills: the test's own functions stand before the ledger's.
target_link_options(test_committer PRIVATE -Wl,--wrap=ledger_write -Wl,--wrap=ledger_free_bytes)
if(DESKBELL_SANITIZE MATCHES "thread")
  set_tests_properties(unit_ledger unit_ledger_crash unit_ledger_refused unit_mailbox unit_committer PROPERTIES
    ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp")
endif()
deskbell_unit_test(gates proto_records)
target_sources(test_gates PRIVATE ${CMAKE_SOURCE_DIR}/http-front/dispatch/gates.c)
deskbell_unit_test(heap)
target_sources(test_heap PRIVATE ${CMAKE_SOURCE_DIR}/http-front/dispatch/heap.c)
