/* A micro-kernel of our own for XNNPACK's operators. */
#ifndef PYXNN_KERNELS_MICRO_H
#define PYXNN_KERNELS_MICRO_H

/*
 * Puts the product of one row of floats with packed weights in the place of XNNPACK's, whose two sums of eight columns wait for
 * themselves, in its configuration, from which operators take it as they are created. XNNPACK must have been initialized.
 */
void micro_install(void);

#endif
