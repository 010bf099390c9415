# SPDX-License-Identifier: Apache-2.0
deskbell_unit_test(clock proto_base)
deskbell_unit_test(config proto_base)
deskbell_unit_test(log proto_base)
deskbell_unit_test(phone proto_base)
deskbell_unit_test(pipes proto_base)
deskbell_unit_test(secret proto_base)
