package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/big"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

const (
	maxAge   = 10 * time.Minute
	coolDown = 5 * time.Second
	leeway   = 5 // seconds
)

var (
	issuer   = os.Getenv("ISSUER")
	audience = os.Getenv("AUDIENCE")
	keys     = keySet{url: os.Getenv("JWKS_URL")}
	client   = http.Client{Timeout: 5 * time.Second}
	// Claims are checked below: golang-jwt v4 has no leeway, and ignores an "exp" of 0.
	parser = jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithoutClaimsValidation())

	errRefused     = errors.New("refused")
	errUnavailable = errors.New("the keys are unavailable")
)

// keySet holds the public keys by id.
type keySet struct {
	url     string
	mutex   sync.Mutex
	keys    map[string]*ecdsa.PublicKey
	tried   time.Time
	fetched time.Time
}

func (set *keySet) find(kid string) (*ecdsa.PublicKey, error) {
	set.mutex.Lock()
	defer set.mutex.Unlock()
	isDue := set.keys[kid] == nil || time.Since(set.fetched) > maxAge
	if isDue && time.Since(set.tried) > coolDown {
		set.tried = time.Now()
		if err := set.fetch(); err != nil {
			return nil, fmt.Errorf("%w: %v", errUnavailable, err)
		}
	}
	if time.Since(set.fetched) > maxAge {
		return nil, errUnavailable
	}
	if key := set.keys[kid]; key != nil {
		return key, nil
	}
	return nil, errRefused
}

func (set *keySet) fetch() error {
	reply, err := client.Get(set.url)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return errors.New(reply.Status)
	}
	var read struct {
		Keys []struct{ Kid, Kty, Crv, Alg, X, Y string }
	}
	if err := json.NewDecoder(reply.Body).Decode(&read); err != nil {
		return err
	}
	found := map[string]*ecdsa.PublicKey{}
	for _, jwk := range read.Keys {
		if jwk.Alg != "ES256" || jwk.Kty != "EC" || jwk.Crv != "P-256" {
			continue
		}
		x, errX := base64.RawURLEncoding.DecodeString(jwk.X)
		y, errY := base64.RawURLEncoding.DecodeString(jwk.Y)
		key := &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)}
		if errX != nil || errY != nil || !key.IsOnCurve(key.X, key.Y) {
			return errors.New("a key is not a point of the curve")
		}
		found[jwk.Kid] = key
	}
	set.keys, set.fetched = found, time.Now()
	return nil
}

// verify returns the claims of a good token.
func verify(token string) (jwt.MapClaims, error) {
	parsed, err := parser.Parse(token, func(token *jwt.Token) (interface{}, error) {
		typ, _ := token.Header["typ"].(string)
		kid, isText := token.Header["kid"].(string)
		_, critical := token.Header["crit"]
		// golang-jwt checks none of them.
		if strings.TrimPrefix(strings.ToLower(typ), "application/") != "at+jwt" || !isText || critical {
			return nil, errRefused
		}
		return keys.find(kid)
	})
	if errors.Is(err, errUnavailable) {
		return nil, err
	}
	if err != nil {
		return nil, errRefused
	}
	claims := parsed.Claims.(jwt.MapClaims)
	now := time.Now().Unix()
	subject, _ := claims["sub"].(string)
	good := claims.VerifyIssuer(issuer, true) && claims.VerifyAudience(audience, true) &&
		claims.VerifyExpiresAt(now-leeway, true) && claims.VerifyNotBefore(now+leeway, true) && subject != ""
	if !good {
		return nil, errRefused
	}
	return claims, nil
}

func handle(response http.ResponseWriter, request *http.Request) {
	scheme, token, _ := strings.Cut(request.Header.Get("Authorization"), " ")
	claims, err := jwt.MapClaims(nil), errRefused
	if strings.EqualFold(scheme, "Bearer") {
		claims, err = verify(token)
	}
	switch {
	case err == nil:
		fmt.Fprintf(response, "Hello %s\n", claims["sub"])
	case errors.Is(err, errUnavailable):
		// The token may be good or bad.
		response.WriteHeader(http.StatusServiceUnavailable)
	default:
		response.Header().Set("WWW-Authenticate", "Bearer")
		response.WriteHeader(http.StatusUnauthorized)
	}
}

func main() {
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(handle)))
}
