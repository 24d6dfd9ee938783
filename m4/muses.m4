# SPDX-License-Identifier: Apache-2.0

# MUSES_IF_CFLAG(FLAGS, IF-TAKEN): does the compiler take FLAGS without a word?
AC_DEFUN([MUSES_IF_CFLAG],
[AC_MSG_CHECKING([whether $CC takes $1])
muses_save_CFLAGS=$CFLAGS
CFLAGS="$CFLAGS -Werror $1"
AC_COMPILE_IFELSE(
  [AC_LANG_SOURCE([[#include <string.h>
  int f(char *s, const char *t); int f(char *s, const char *t) { strcpy(s, t); return 0; }]])],
  [muses_taken=yes], [muses_taken=no])
CFLAGS=$muses_save_CFLAGS
AC_MSG_RESULT([$muses_taken])
AS_IF([test $muses_taken = yes], [$2])])

# MUSES_IF_LDFLAG(FLAGS, IF-TAKEN): does the linker?
AC_DEFUN([MUSES_IF_LDFLAG],
[AC_MSG_CHECKING([whether $CC links with $1])
muses_save_LDFLAGS=$LDFLAGS
LDFLAGS="$LDFLAGS -Werror $1"
AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [muses_taken=yes], [muses_taken=no])
LDFLAGS=$muses_save_LDFLAGS
AC_MSG_RESULT([$muses_taken])
AS_IF([test $muses_taken = yes], [$2])])
