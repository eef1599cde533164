require 'net/http'

%w[
  https://management.azure.com/metadata/endpoints?api-version=2015-01-01
  http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/
  https://example.com/
].each do |text|
  url = URI(text)
  begin
    answer = Net::HTTP.start(url.host, url.port, use_ssl: url.scheme == 'https') do |http|
      http.request(Net::HTTP::Get.new(url, { 'Metadata' => 'true' }))
    end
    puts answer.code
  rescue StandardError
    puts 'refused'
  end
end
