# SPDX-License-Identifier: Apache-2.0
deskbell_unit_test(mask front_intake)
