#include "error.h"

#include <stdarg.h>
#include <stdio.h>

static char message[512];

const char* pyxnn_error_message(void) {
  return message;
}

enum pyxnn_status pyxnn_error(enum pyxnn_status status, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  return status;
}

enum pyxnn_status pyxnn_error_from_xnn(enum xnn_status status, const char* doing, const char* name) {
  switch (status) {
    case xnn_status_success:
      return pyxnn_ok;
    case xnn_status_out_of_memory:
      return pyxnn_error(pyxnn_out_of_memory, "out of memory while %s %s", doing, name);
    case xnn_status_invalid_parameter:
      return pyxnn_error(pyxnn_invalid_argument, "invalid parameter while %s %s", doing, name);
    case xnn_status_unsupported_parameter:
    case xnn_status_unsupported_hardware:
      return pyxnn_error(pyxnn_unsupported, "XNNPACK has no kernel for this %s (while %s it)", name, doing);
    default:
      return pyxnn_error(pyxnn_failed, "XNNPACK's status %d while %s %s", (int)status, doing, name);
  }
}
