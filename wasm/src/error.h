/* How functions of the engine fail: a status for the caller, a message for its user. */
#ifndef PYXNN_ERROR_H
#define PYXNN_ERROR_H

#include <pyxnn.h>
#include <xnnpack.h>

/*
 * Records a message for pyxnn_error_message.
 * @param status  what to return
 * @param format  printf format of the message: what was wrong, where, what was expected
 * @return status
 */
enum pyxnn_status pyxnn_error(enum pyxnn_status status, const char* format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Turns XNNPACK's status into ours; records a message when it is a failure.
 * @param status  what an xnn_* function returned
 * @param doing   "creating", "reshaping", ...: what was being done
 * @param name    the operator's name
 */
enum pyxnn_status pyxnn_error_from_xnn(enum xnn_status status, const char* doing, const char* name);

#endif
