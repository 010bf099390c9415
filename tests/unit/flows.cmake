# SPDX-License-Identifier: Apache-2.0
# The flows against hand-made answers; flow_case.h is their common bench. worker_core brings answers and the agents cache.
if(TARGET worker_flows)
  deskbell_unit_test(text worker_flows)
  deskbell_unit_test(rules worker_flows)
  deskbell_unit_test(raise worker_flows)
  deskbell_unit_test(proof worker_flows)
  deskbell_unit_test(words worker_flows worker_core)
  foreach(flow open_ticket append notice context keep_open relay repeat post offer mirror poll restored call poll_calls)
    deskbell_unit_test(flow_${flow} worker_flows worker_core)
  endforeach()
endif()
