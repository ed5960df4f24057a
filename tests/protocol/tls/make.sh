#!/bin/sh
# Makes the certificates that the tests' API server and its clients use, valid for a hundred years.
set -eu
cd "$(dirname "$0")"
new_key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
for ca in ca other-ca; do
    openssl req -x509 $new_key -keyout "$ca.key" -out "$ca.crt" -days 36500 -subj "/CN=furiosa-npu tests $ca"
done
sign() { # NAME SUBJECT EXTENSIONS
    openssl req $new_key -keyout "$1.key" -out "$1.csr" -subj "$2"
    printf '%s\n' "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -days 36500 -extfile "$1.ext" -out "$1.crt"
    rm "$1.csr" "$1.ext"
}
sign server "/CN=kubernetes.test" "subjectAltName=DNS:localhost,DNS:kubernetes.test,IP:127.0.0.1,IP:::1"
sign client "/CN=tester" "extendedKeyUsage=clientAuth"
rm -f ca.key other-ca.key ca.srl
