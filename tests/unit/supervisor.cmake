# SPDX-License-Identifier: Apache-2.0
deskbell_unit_test(supervisor_children supervisor)
deskbell_unit_test(supervisor_parts supervisor)
deskbell_unit_test(supervisor_reload supervisor)

# The real deskbelld with children of our own making: one program under both names.
set(supervisor_helpers ${CMAKE_BINARY_DIR}/tests/supervisor_helpers)
foreach(name front worker)
  add_executable(supervisor_fake_${name} ${CMAKE_CURRENT_LIST_DIR}/supervisor_fake_child.c)
  target_link_libraries(supervisor_fake_${name} PRIVATE proto_base)
  set_target_properties(supervisor_fake_${name} PROPERTIES
    OUTPUT_NAME deskbell-${name} RUNTIME_OUTPUT_DIRECTORY ${supervisor_helpers})
endforeach()
if(DESKBELL_SEAMS)
  foreach(name supervisor_run supervisor_signals)
    deskbell_unit_test(${name} proto_base)
    target_sources(test_${name} PRIVATE ${CMAKE_CURRENT_LIST_DIR}/supervisor_daemon.c)
    target_compile_definitions(test_${name} PRIVATE
      DESKBELLD="$<TARGET_FILE:deskbelld>" HELPERS="${supervisor_helpers}")
    add_dependencies(test_${name} deskbelld supervisor_fake_front supervisor_fake_worker)
  endforeach()
endif()
