# SPDX-License-Identifier: MIT
#
# docs.mk - the manual pages made from the comments of the public headers, and what `install` takes
# of docs/.  Included by the Makefile at the top.

man_made    := $(patsubst include/cgfs/%.h,$(O)/man/cgfs_%.3,$(filter-out %/cgfs.h,$(headers)))
man      = $(wildcard docs/man/*.[0-9]) $(man_made)
# FUNCTION.3=PAGE.3 for each function: its page under its own name.
man_link = $(shell docs/man/generate --links $(headers))
# Where each shell looks for the completion of podctl, below DATADIR.
complete = bash-completion/completions/podctl zsh/site-functions/_podctl \
	   fish/vendor_completions.d/podctl.fish

.PHONY: man
## man: a manual page for each public header, made from its comments
man: $(man_made)

$(O)/man/cgfs_%.3: include/cgfs/%.h docs/man/generate docs/man/page.awk docs/man/cgfs.3
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$(Q)docs/man/generate $< > $@
