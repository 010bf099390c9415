# SPDX-License-Identifier: Apache-2.0
deskbell_unit_test(signature front_intake dep::crypto)
deskbell_unit_test(normalise front_intake)
deskbell_unit_test(normalise_freshcaller front_intake)
deskbell_unit_test(http front_intake dep::crypto dep::jansson)
deskbell_unit_test(metrics front_admin dep::jansson)
deskbell_unit_test(monitoring front_admin dep::jansson)
deskbell_unit_test(callback front_intake)
