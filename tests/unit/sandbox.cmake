# SPDX-License-Identifier: Apache-2.0
deskbell_unit_test(sandbox_freshdesk sandbox)
deskbell_unit_test(sandbox_freshchat sandbox)
deskbell_unit_test(sandbox_webhooks sandbox)
deskbell_unit_test(sandbox_faults sandbox)
deskbell_unit_test(sandbox_pages sandbox)
deskbell_unit_test(sandbox_phone sandbox)
