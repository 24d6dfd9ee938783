#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The walk through Re-Hello's states with more questions on their way at once.
MUSES_RESUME_QUESTIONS=6 exec "$builddir/tests/t_core_resume"
