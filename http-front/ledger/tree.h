// SPDX-License-Identifier: Apache-2.0
// libc's balanced trees (tsearch and its kin). <search.h> has a struct named entry, as the records have: kept apart
// here.
#ifndef HTTP_FRONT_LEDGER_TREE_H
#define HTTP_FRONT_LEDGER_TREE_H
#define entry search_entry
#include <search.h>
#undef entry
#endif
