# SPDX-License-Identifier: Apache-2.0
deskbell_unit_test(widget front_widget)
