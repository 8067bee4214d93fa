#!/bin/bash
# words.sh ROOT: no unfinished corners, and no paths of somebody's machine. The words are put
# together here so that this file does not contain them.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

unfinished='\b(TO''DO|FIX''ME|XX''X|HA''CK|place''holder)\b'
machine='(^|[^A-Za-z0-9_.$}/-])/(wo''rk|ho''me|ro''ot|Us''ers)/'
violations=$(tree_files | grep -v '^LICENSE$' | xargs -r -d '\n' grep -HnIE "$unfinished|$machine" || true)
finish "$violations" words
