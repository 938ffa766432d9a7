# SPDX-License-Identifier: MIT
dist_doc_DATA += %D%/architecture.md %D%/choices.md %D%/layout.md \
	%D%/lifecycle.md %D%/protocol.md %D%/python.md %D%/recovery.md \
	%D%/testing.md
EXTRA_DIST += %D%/releasing.md %D%/steps.awk
