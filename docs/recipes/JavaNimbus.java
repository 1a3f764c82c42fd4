import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.text.ParseException;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;

public final class JavaNimbus {
  private static final Pattern COMPACT = Pattern.compile("[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+");

  private final DefaultJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();

  JavaNimbus(String issuer, String audience, String jwksUrl) throws IOException {
    var keys = JWKSourceBuilder.<SecurityContext>create(URI.create(jwksUrl).toURL())
        .cache(600_000, 15_000)
        .rateLimited(5_000)
        .build();
    var claims = new DefaultJWTClaimsVerifier<SecurityContext>(
        audience, new JWTClaimsSet.Builder().issuer(issuer).build(), Set.of("exp", "nbf", "sub", "sid"));
    claims.setMaxClockSkew(5);
    processor.setJWSKeySelector(new JWSVerificationKeySelector<>(JWSAlgorithm.ES256, keys));
    processor.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(
        new JOSEObjectType("at+jwt"), new JOSEObjectType("application/at+jwt")));
    processor.setJWTClaimsSetVerifier(claims);
  }

  /** Returns the claims of a good token. A JOSEException means that the keys are unavailable. */
  JWTClaimsSet verify(String token) throws ParseException, BadJOSEException, JOSEException {
    if (!COMPACT.matcher(token).matches()) throw new ParseException("not a compact JWS", 0);
    return processor.process(token, null);
  }

  private void handle(HttpExchange exchange) throws IOException {
    var authorization = exchange.getRequestHeaders().getFirst("Authorization");
    try {
      if (authorization == null || !authorization.regionMatches(true, 0, "Bearer ", 0, 7)) {
        throw new ParseException("no token", 0);
      }
      var greeting = "Hello " + verify(authorization.substring(7)).getSubject() + "\n";
      var body = greeting.getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
    } catch (ParseException | BadJOSEException refused) {
      exchange.getResponseHeaders().set("WWW-Authenticate", "Bearer");
      exchange.sendResponseHeaders(401, -1);
    } catch (JOSEException undecided) {
      exchange.sendResponseHeaders(503, -1);
    } finally {
      exchange.close();
    }
  }

  public static void main(String[] args) throws IOException {
    var env = System.getenv();
    var service = new JavaNimbus(env.get("ISSUER"), env.get("AUDIENCE"), env.get("JWKS_URL"));
    var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(env.get("PORT"))), 0);
    server.setExecutor(Executors.newFixedThreadPool(8));
    server.createContext("/", service::handle);
    server.start();
  }
}
