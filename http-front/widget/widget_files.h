// SPDX-License-Identifier: Apache-2.0
// The files that embed.cmake compiles in, as texts. Private to this folder.
#ifndef HTTP_FRONT_WIDGET_WIDGET_FILES_H
#define HTTP_FRONT_WIDGET_WIDGET_FILES_H
extern const char widget_file_script[];   // with DESKBELL_CONFIG where the configuration goes
extern const char widget_file_callback[]; // the form that widget.js loads when it is asked for
extern const char widget_file_support[];  // with @PHONE@ where the telephone number goes
#endif
