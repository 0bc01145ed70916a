package cli

// bashWords goes behind cobra's script for bash.
const bashWords = `
# What follows replaces a function above, so that the package bash-completion is used
# where it is and not needed where it is not.
__stephost_init_completion()
{
    COMPREPLY=()
    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    declare -F _filedir >/dev/null 2>&1 || _filedir()
    {
        compopt -o filenames 2>/dev/null
        local IFS=$'\n' kind=-f
        [[ $1 == -d ]] && kind=-d
        COMPREPLY+=($(compgen "$kind" -- "$cur"))
    }
    # bash splits words at "=" and ":" too. What stands together is one word again,
    # up to the cursor.
    local rest=${COMP_LINE:0:COMP_POINT} part apart i
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        apart=${rest%%[![:space:]]*}
        rest=${rest#"$apart"}
        part=${COMP_WORDS[i]}
        ((i == COMP_CWORD)) && part=$rest
        rest=${rest#"$part"}
        if ((i > 0)) && [[ -z $apart && ( $part == [=:]* || ${COMP_WORDS[i-1]} == *[=:] ) ]]; then
            words[${#words[@]}-1]+=$part
        else
            words+=("$part")
        fi
    done
    cword=$((${#words[@]} - 1))
    cur=${words[cword]}
    prev=
    ((cword > 0)) && prev=${words[cword-1]}
}
`
