if(TARGET front_dispatch)
  deskbell_unit_test(lanes front_dispatch)
endif()
