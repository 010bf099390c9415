# SPDX-License-Identifier: Apache-2.0
# What a job means: the flows and the text they handle. No sockets in it; unit tests link it alone.
add_library(worker_flows STATIC
  call_words.c customer.c directory.c entries.c fields.c flow.c flow_append.c flow_call_join.c flow_call_note.c flow_call_ticket.c flow_context.c flow_keep_open.c flow_mirror.c flow_notice.c flow_offer.c
  flow_open_ticket.c flow_poll.c flow_poll_calls.c flow_post.c flow_relay.c flow_repeat.c flows.c note.c parts.c proof.c raise.c reasons.c rules.c text.c text_buf.c text_history.c text_html.c ticket.c ticket_look.c words.c)
target_include_directories(worker_flows PUBLIC ${CMAKE_SOURCE_DIR})
target_link_libraries(worker_flows PUBLIC proto_records proto_base dep::jansson PRIVATE dep::crypto dep::xml2)
