# SPDX-License-Identifier: MIT
#
# Completion of podctl for fish.  Verbs and options come from `podctl --help` and
# `podctl VERB --help`, so that they are always those of the podctl that is installed; pods come
# from `podctl ls`.

function __podctl_verbs
    podctl --help 2>/dev/null | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\)  *\(.*\)/\1\t\2/p'
end

# The verb that is typed already.
function __podctl_verb
    set -l verbs (__podctl_verbs | string replace -r '\t.*' '')
    for word in (commandline -opc)[2..-1]
        if contains -- $word $verbs
            echo $word
            return 0
        end
    end
    return 1
end

# "--OPTION<TAB>VALUE<TAB>help" of the verb and of every verb.
function __podctl_options
    begin
        set -l verb (__podctl_verb); and podctl $verb --help
        podctl --help
    end 2>/dev/null | sed -nE 's/^  (-[a-zA-Z],|   ) (--[a-z-]+)( ([^ ]+))?( +(.*))?$/\2\t\4\t\6/p'
end

# What the option before the cursor takes; nothing when it takes nothing.
function __podctl_value
    set -l before (commandline -opc)[-1]
    __podctl_options | string match -r -- "^$before\t([^\t]+)\t" | tail -n 1
end

# POD, and POD/CONTAINER; a key press waits no longer than this.
function __podctl_pods
    set -l place
    set -l words (commandline -opc)
    for i in (seq (count $words))
        switch $words[$i]
            case --root --pin-dir --agent
                set place $place $words[$i] $words[(math $i + 1)]
            case --no-agent
                set place $place $words[$i]
        end
    end
    timeout -k 1 2 podctl ls -q $place 2>/dev/null
end

function __podctl_complete
    set -l current (commandline -ct)
    set -l verb (__podctl_verb)
    switch (__podctl_value)
        case DIR PATH
            __fish_complete_directories $current
            return
        case POD
            __podctl_pods
            return
        case CONTAINER
            __podctl_pods | string replace -rf '.*/' ''
            return
        case 'TYPE*'
            set -l first (string replace -r '[^,]*$' '' -- $current)
            podctl $verb --help 2>/dev/null | sed -n '/^Types: /,/\.$/{s/^Types://;s/[,.]//g;p;}' |
                string split -n ' ' | string replace -r '^' "$first"
            return
        case '?*'
            return
    end
    if contains -- -- (commandline -opc)
        __fish_complete_path $current
    else if string match -q -- '-*' $current
        __podctl_options | string replace -r '\t[^\t]*\t' '\t'
    else if test -z "$verb"
        __podctl_verbs
    else
        switch (podctl $verb --help 2>/dev/null | head -n 1)
            case '*FILE*' '*.json*'
                __fish_complete_path $current
            case '*POD*'
                __podctl_pods
        end
    end
end

complete -c podctl -f -a '(__podctl_complete)'
