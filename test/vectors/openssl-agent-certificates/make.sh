#!/usr/bin/env bash
# Makes these vectors anew with OpenSSL 3 and nothing else. Keys are fresh each time and thrown away, those of the authorities too.
set -euo pipefail
out=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# When everything is valid, and the agent that it is about (the public one of the reference implementation's vectors).
FROM=20260101000000Z
TO=20260331000000Z
AGENT=2e43ad80b98d79550e4a18a365efb0a532d5069d3d83d1a81969d2265c7d33eb
SCOPE=communication:audio:capture,communication:audio:transmit

OLD_AGENT=2.25.268315605531543067570885820853135175300
OLD_OWNER=2.25.1702125237121760682219637876567909613
NEW_AGENT=2.25.270589222713521482848242912882674957013
NEW_OWNER=2.25.23114076405071288504909871284023186248
COMMITMENT=2.25.282163161526436136340860154693646256049
ZONE=2.25.166172302800383381461126246055580541663
TIER=2.25.198335757712203466569903271149789286606
ARCHETYPE=2.25.73414372111527645744102975685149753054
ACTIVATION=2.25.251807688045435852997712124138766290036
SCT=2.25.265641071119838462866957460025010755013

cat > ca.cnf <<CONF
[ca]
default_ca = any
[any]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
unique_subject = no
policy = anything
[anything]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
emailAddress = optional
CONF

key() { # name kind
  case $2 in
    ed25519) openssl genpkey -algorithm ed25519 -out "$1.key" ;;
    p256) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" ;;
    p384) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$1.key" ;;
    rsa) openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key" ;;
  esac
}

# certificate NAME SUBJECT ISSUER (a name before, or itself) EXTENSIONS [FROM TO]: signs NAME.key into NAME.pem
certificate() {
  local name=$1 subject=$2 issuer=$3 from=${5:-$FROM} to=${6:-$TO}
  printf '%s\n' "$4" > "$name.ext"
  : > index.txt
  openssl req -new -key "$name.key" -subj "$subject" -out "$name.csr"
  local by=(-cert "$issuer.pem" -keyfile "$issuer.key")
  [ "$issuer" != "$name" ] || by=(-selfsign -keyfile "$name.key")
  openssl ca -batch -notext -config ca.cnf "${by[@]}" -in "$name.csr" -out "$name.pem" \
    -startdate "$from" -enddate "$to" -extfile "$name.ext" 2> ca.log || { cat ca.log >&2; exit 1; }
}

hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }
extension() { echo "$1=$2DER:$3"; } # oid, "critical," or nothing, hex

# agtp SET CRITICAL: all eight extensions of one set of identifiers
agtp() {
  local agent=$OLD_AGENT owner=$OLD_OWNER
  [ "$1" = old ] || { agent=$NEW_AGENT owner=$NEW_OWNER; }
  extension "$agent" "$2" "$(hex "$AGENT")"
  extension "$owner" "$2" "$(hex acme.tld)"
  extension "$COMMITMENT" "$2" "$(hex "$SCOPE")"
  optional
}
optional() {
  extension "$ZONE" "" "$(hex zone:test)"
  extension "$TIER" "" 020101
  extension "$ARCHETYPE" "" "$(hex assistant)"
  extension "$ACTIVATION" "" "$(hex "$AGENT")"
  extension "$SCT" "" "00$(hex "$(printf 'l%.0s' $(seq 32))")0000019b76e2d00000000807004001$(hex "$(printf 's%.0s' $(seq 63))")"
}
mandatory() { agtp old critical, | head -3; }

CA=$'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign'
SUBJECT=/CN=alice/O=Acme

# authority NAME KIND [SUBJECT]
authority() { key "$1" "$2"; certificate "$1" "${3:-/O=Operator/CN=$1}" "$1" "$CA" 20250101000000Z 20351231000000Z; cp "$1.pem" "$out/"; }
authority root ed25519
authority root-p256 p256
authority root-p384 p384
authority root-rsa rsa
authority rogue ed25519 /O=Operator/CN=root   # another key, the name of root
authority unknown ed25519
key expired-root ed25519
certificate expired-root /O=Operator/CN=expired-root expired-root "$CA" 20240101000000Z 20251231000000Z
cp expired-root.pem "$out/"

# chain FILE NAMES...: what a client sends
chain() { local file=$1; shift; for name; do cat "$name.pem"; done > "$out/$file.pem"; }
# agent FILE ISSUER EXTENSIONS [FROM TO [KIND]]
agent() { key "$1" "${6:-ed25519}"; certificate "$1" "$SUBJECT" "$2" "$3" "${4:-$FROM}" "${5:-$TO}"; chain "$1" "$1"; }

# What holds
for set in old new; do
  agent "$set-critical" root "$(agtp $set critical,)"
  agent "$set-plain" root "$(agtp $set '')"
done
agent by-p256 root-p256 "$(agtp old critical,)"
agent by-p384 root-p384 "$(agtp old critical,)"
agent by-rsa root-rsa "$(agtp old critical,)"
agent mandatory-alone root "$(mandatory)"
agent with-usages root "$(mandatory; echo keyUsage=critical,digitalSignature; echo extendedKeyUsage=critical,clientAuth; echo subjectAltName=critical,DNS:alice.test)"
agent no-agent root "keyUsage=critical,digitalSignature"
key between ed25519; certificate between /O=Operator/CN=between root "$CA"
key lowest ed25519; certificate lowest /O=Operator/CN=lowest between "$CA"
key beneath-two ed25519; certificate beneath-two "$SUBJECT" lowest "$(mandatory)"
chain beneath-two beneath-two lowest between
chain beneath-two-shuffled beneath-two between unknown lowest root

# What does not
agent by-rogue rogue "$(mandatory)"
key rogue-chain ed25519; certificate rogue-chain "$SUBJECT" rogue "$(mandatory)"; chain rogue-chain rogue-chain rogue
agent by-unknown unknown "$(mandatory)"
chain between-missing beneath-two
agent expired root "$(mandatory)" 20250901000000Z 20251130000000Z
agent not-yet root "$(mandatory)" 20260601000000Z 20260701000000Z
agent too-long root "$(mandatory)" 20260101000000Z 20260601000000Z
agent by-expired expired-root "$(mandatory)"
agent p256-key root "$(mandatory)" "$FROM" "$TO" p256
agent rsa-key root "$(mandatory)" "$FROM" "$TO" rsa
agent unknown-critical root "$(mandatory; extension 1.3.6.1.4.1.99999.1 critical, 0500)"
agent no-signing root "$(mandatory; echo keyUsage=critical,keyAgreement)"
agent server-only root "$(mandatory; echo extendedKeyUsage=serverAuth)"
agent no-owner root "$(mandatory | grep -v "$OLD_OWNER")"
agent bad-agent-id root "$(extension "$OLD_AGENT" critical, "$(hex "${AGENT^^}")"; mandatory | tail -2)"
agent tagged-owner root "$(mandatory | grep -v "$OLD_OWNER"; extension "$OLD_OWNER" critical, "0c08$(hex acme.tld)")"
agent bad-scope root "$(mandatory | head -2; extension "$COMMITMENT" critical, "$(hex 'audio, video')")"
agent tier-four root "$(mandatory; extension "$TIER" "" 020104)"
agent both-names root "$(mandatory; extension "$NEW_AGENT" critical, "$(hex "$AGENT")")"
key not-authority ed25519; certificate not-authority /O=Operator/CN=not-authority root $'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature'
key by-not-authority ed25519; certificate by-not-authority "$SUBJECT" not-authority "$(mandatory)"; chain by-not-authority by-not-authority not-authority
key no-cert-sign ed25519; certificate no-cert-sign /O=Operator/CN=no-cert-sign root $'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign'
key by-no-cert-sign ed25519; certificate by-no-cert-sign "$SUBJECT" no-cert-sign "$(mandatory)"; chain by-no-cert-sign by-no-cert-sign no-cert-sign
key constrained ed25519; certificate constrained /O=Operator/CN=constrained root "$CA"$'\nnameConstraints=critical,permitted;DNS:.test'
key by-constrained ed25519; certificate by-constrained "$SUBJECT" constrained "$(mandatory)"; chain by-constrained by-constrained constrained
key narrow ed25519; certificate narrow /O=Operator/CN=narrow root $'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign'
key below-narrow ed25519; certificate below-narrow /O=Operator/CN=below-narrow narrow "$CA"
key pathlen ed25519; certificate pathlen "$SUBJECT" below-narrow "$(mandatory)"; chain pathlen pathlen below-narrow narrow
deep=root links=()
for i in 1 2 3 4 5; do key deep$i ed25519; certificate deep$i /O=Operator/CN=deep$i $deep "$CA"; deep=deep$i; links=(deep$i "${links[@]}"); done
key too-deep ed25519; certificate too-deep "$SUBJECT" deep5 "$(mandatory)"; chain too-deep too-deep "${links[@]}"
agent huge root "$(mandatory; extension 1.3.6.1.4.1.99999.2 "" "04820fff$(printf 'ab%.0s' $(seq 4095))")"
agent larger-than-read root "$(mandatory; extension 1.3.6.1.4.1.99999.2 "" "04824e20$(printf 'ab%.0s' $(seq 20000))")"

# One extension twice: OpenSSL writes two that differ in the last byte of their name; that byte is made the same, and signed again.
agent twice root "$(mandatory; extension "${OLD_AGENT%0}1" critical, "$(hex "$AGENT")")"
openssl x509 -in twice.pem -outform DER -out twice.der
openssl asn1parse -inform DER -in twice.der -strparse 4 -noout -out tbs.der
perl -0777 -pi -e 'binmode STDIN; s/(\x06\x14\x69\x83\x93\xdb.{15})\x05/$1\x04/s or die' tbs.der
openssl pkeyutl -sign -rawin -inkey root.key -in tbs.der -out signature
{ head -c 4 twice.der; cat tbs.der; tail -c +$((5 + $(stat -c %s tbs.der))) twice.der | head -c -64; cat signature; } > resigned.der
openssl x509 -inform DER -in resigned.der -out "$out/twice.pem"

# A bit of what was signed changed, and one of the signature.
openssl x509 -in old-critical.pem -outform DER -out whole.der
perl -0777 -pe 's/acme\.tld/evil.tld/ or die' whole.der > changed.der
openssl x509 -inform DER -in changed.der -out "$out/tampered.pem"
perl -0777 -pe 'substr($_, -1) = chr(ord(substr($_, -1)) ^ 1)' whole.der > changed.der
openssl x509 -inform DER -in changed.der -out "$out/tampered-signature.pem"

chmod 644 "$out"/*.pem
