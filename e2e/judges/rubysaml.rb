#!/usr/bin/ruby
# ruby-saml's verdicts. Reads one case a line as JSON (see judges_test.go), answers one line each: {"accepted", "name_id", "why"}.
require 'json'
require 'onelogin/ruby-saml'

CLOCK = Struct.new(:now).new(nil)

Time.singleton_class.prepend(Module.new do
  def now(*) = CLOCK.now || super
end)

def settings(c)
  s = OneLogin::RubySaml::Settings.new
  s.assertion_consumer_service_url = c['acs']
  s.sp_entity_id = c['entity_id']
  s.idp_entity_id = c['idp_entity_id']
  s.idp_cert_multi = { signing: c['certificates'], encryption: [] }
  s.private_key = c['decryption_keys'].first
  s.soft = true
  s
end

def judge(c)
  CLOCK.now = Time.at(c['at'].to_r)
  options = { settings: settings(c), allowed_clock_drift: 180 }
  options[:matches_request_id] = c['request_id'] unless c['request_id'].empty?
  r = OneLogin::RubySaml::Response.new(c['response'], options)
  return { accepted: false, why: r.errors.join('; ') } unless r.is_valid?

  { accepted: true, name_id: r.nameid }
end

$stdout.sync = true
puts JSON.generate(version: OneLogin::RubySaml::VERSION)
$stdin.each_line do |line|
  answer = begin
    judge(JSON.parse(line))
  rescue StandardError, SystemStackError => e
    { accepted: false, why: "#{e.class}: #{e.message}" }
  end
  puts JSON.generate(answer.transform_values { |v| v.is_a?(String) ? v.dup.force_encoding('UTF-8').scrub : v })
end
