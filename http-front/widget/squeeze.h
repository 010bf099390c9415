// SPDX-License-Identifier: Apache-2.0
// Our own script without what only its readers need. Pure; runs once at the start of the front.
#ifndef HTTP_FRONT_WIDGET_SQUEEZE_H
#define HTTP_FRONT_WIDGET_SQUEEZE_H

/**
 * A script that means the same without comments, indentation and the blanks and line breaks that no statement needs.
 * The text of strings, of regular expressions and of templates stays as it is, but for the indentation of a template's
 * lines. Made for widget.js: an empty statement at a block's end, and a template inside a template, are not understood.
 * Returns text to be freed by the caller.
 */
char *squeeze_script(const char *script);
#endif
