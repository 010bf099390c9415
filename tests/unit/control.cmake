# SPDX-License-Identifier: Apache-2.0
# The control socket, over a real dispatcher and ledger; deskbellctl's own parts.
if(TARGET front_dispatch)
  deskbell_unit_test(control front_dispatch)
  deskbell_unit_test(control_dead front_dispatch)
  deskbell_unit_test(control_forget front_dispatch)
endif()
if(TARGET ctl)
  deskbell_unit_test(ctl ctl)
  deskbell_unit_test(doctor ctl)
  deskbell_unit_test(desk ctl)
endif()
