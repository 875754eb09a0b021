#!/bin/sh
# The hub of the tests over TLS: an authority of its own, valid for 100 years, and a certificate for
# 127.0.0.1 and localhost that it signed. No machine trusts them, and their keys protect nothing.
set -e
cd "$(dirname "$0")"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -keyout ca.key -out ca.pem \
  -subj '/CN=oai test authority' -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign'
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout hub.key -out hub.csr -subj '/CN=localhost'
printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' >hub.ext
openssl x509 -req -in hub.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 36500 -out hub.pem -extfile hub.ext
rm -f hub.csr hub.ext ca.srl ca.key
