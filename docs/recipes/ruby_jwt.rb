require 'json'
require 'jwt'
require 'net/http'
require 'webrick'

ISSUER, AUDIENCE, JWKS_URL, PORT = ENV.values_at('ISSUER', 'AUDIENCE', 'JWKS_URL', 'PORT')
COMPACT = /\A[\w-]+\.[\w-]+\.[\w-]+\z/
TYPES = %w[at+jwt application/at+jwt].freeze

# The keys are unavailable: the token may be good or bad.
class KeysUnavailable < StandardError; end

# The public keys by id.
class KeySet
  MAX_AGE = 600
  COOL_DOWN = 5

  def initialize(url)
    @url = URI(url)
    @keys = {}
    @tried = @fetched = -Float::INFINITY
    @lock = Mutex.new
  end

  # Returns the key, or nil.
  def find(kid)
    @lock.synchronize do
      is_due = !@keys.key?(kid) || now - @fetched > MAX_AGE
      fetch if is_due && now - @tried > COOL_DOWN
      raise KeysUnavailable if now - @fetched > MAX_AGE

      @keys[kid]
    end
  end

  private

  def fetch
    @tried = now
    http = { use_ssl: @url.scheme == 'https', open_timeout: 5, read_timeout: 5 }
    reply = Net::HTTP.start(@url.host, @url.port, **http) { |connection| connection.get(@url.request_uri) }
    reply.value
    keys = JSON.parse(reply.body, symbolize_names: true).fetch(:keys).select { |jwk| jwk[:alg] == 'ES256' }
    @keys = keys.to_h { |jwk| [jwk[:kid], JWT::JWK.import(jwk).keypair] }
    @fetched = now
  rescue StandardError => e
    raise KeysUnavailable, e.message
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

KEYS = KeySet.new(JWKS_URL)

# Returns the claims of a good token; raises JWT::DecodeError for a bad one.
def verify(token)
  # ruby-jwt ignores characters that are not base64url.
  raise JWT::DecodeError, 'not a compact JWS' unless COMPACT.match?(token)

  claims, header = JWT.decode(
    token, nil, true,
    algorithms: ['ES256'], iss: ISSUER, verify_iss: true, aud: AUDIENCE, verify_aud: true,
    required_claims: %w[exp nbf sub sid], leeway: 5
  ) { |head| KEYS.find(head['kid']) || raise(JWT::DecodeError, 'unknown key') }
  # ruby-jwt does not check these, and accepts "es256" and a string as a time.
  raise JWT::DecodeError, 'not an access token' unless TYPES.include?(header['typ'].to_s.downcase)
  raise JWT::DecodeError, 'an extension is critical' if header.key?('crit')
  raise JWT::DecodeError, 'another algorithm' unless header['alg'] == 'ES256'
  raise JWT::DecodeError, 'a time must be a number' unless claims.values_at('exp', 'nbf').all?(Integer)

  claims
rescue TypeError
  # ruby-jwt raises it if the claims are not an object.
  raise JWT::DecodeError, 'malformed claims'
end

server = WEBrick::HTTPServer.new(
  BindAddress: '127.0.0.1', Port: Integer(PORT), AccessLog: [], Logger: WEBrick::Log.new(nil, 0)
)
server.mount_proc('/') do |request, response|
  scheme, token = request['authorization'].to_s.split(' ', 2)
  raise JWT::DecodeError, 'no token' unless scheme&.casecmp?('bearer')

  response.body = "Hello #{verify(token.to_s)['sub']}\n"
rescue JWT::DecodeError
  response.status = 401
  response['WWW-Authenticate'] = 'Bearer'
rescue KeysUnavailable
  response.status = 503
end
trap('TERM') { server.shutdown }
server.start
