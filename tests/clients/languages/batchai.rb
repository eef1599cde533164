# A program as people wrote them in Ruby: ms_rest_azure 0.12, on which every azure_mgmt gem stands, and azure-storage-blob 2.0.
#
# Usage: ruby batchai.rb SCRIPT. The generated gem of Batch AI is a list of such requests; this one makes them with the same
# client, credentials, retries and polling. The quickstart's steps in the shape of 2018-05-01, with a container.

require 'azure/storage/blob'
require 'concurrent'
require 'erb'
require 'faraday-cookie_jar'
require 'ms_rest_azure'
require 'open-uri'
require 'securerandom'
require 'tempfile'

SCRIPT = ARGV.fetch(0)
provider = MsRestAzure::ApplicationTokenProvider.new(
  ENV.fetch('AZURE_TENANT_ID'), ENV.fetch('AZURE_CLIENT_ID'), ENV.fetch('AZURE_CLIENT_SECRET')
)

# What a generated client does: a request through the runtime, and its polling of what is not done at once.
class Manager < MsRestAzure::AzureServiceClient
  attr_accessor :long_running_operation_retry_timeout

  def initialize(credentials, subscription)
    super(credentials)
    @credentials = credentials
    @base_url = 'https://management.azure.com'
    @group = "subscriptions/#{subscription}/resourcegroups/learning"
    @long_running_operation_retry_timeout = nil
    add_user_agent_information('azure_mgmt_batch_ai/0.17.0')
  end

  attr_reader :group

  def ask(method, path, version, body = nil, query = {})
    headers = { 'Content-Type' => 'application/json; charset=utf-8', 'accept-language' => 'en-US',
                'x-ms-client-request-id' => SecureRandom.uuid }
    options = {
      middlewares: [[MsRest::RetryPolicyMiddleware, { times: 3, retry: 0.02 }], [:cookie_jar]],
      query_params: { 'api-version' => version }.merge(query),
      headers: headers,
      credentials: @credentials
    }
    options[:body] = JSON.generate(body) if body
    result = make_request_async(@base_url, method, path, options).value!
    raise result.response.body if result.response.status >= 400

    result
  end

  def read(*asked)
    JSON.parse(ask(*asked).response.body)
  end

  def put(path, version, body)
    result = ask(:put, path, version, body)
    get_long_running_operation_result(result, ->(parsed) { parsed }) if result.response.status == 202
    read(:get, path, version)
  end

  def delete(path, version)
    get_long_running_operation_result(ask(:delete, path, version), nil)
  end
end

client = Manager.new(MsRest::TokenCredentials.new(provider), ENV.fetch('AZURE_SUBSCRIPTION_ID'))
puts "group #{client.put(client.group, '2018-05-01', location: 'eastus')['name']}"
store = "#{client.group}/providers/Microsoft.Storage/storageAccounts/miners"
client.put(store, '2018-07-01', location: 'eastus', sku: { name: 'Standard_LRS' }, kind: 'Storage', properties: {})
key = client.read(:post, "#{store}/listKeys", '2018-07-01')['keys'][0]['value']

blobs = Azure::Storage::Blob::BlobService.create(storage_account_name: 'miners', storage_access_key: key)
blobs.create_container('lessons')
blobs.create_block_blob('lessons', "digits/#{File.basename(SCRIPT)}", File.read(SCRIPT))
puts "blobs #{blobs.list_blobs('lessons').map(&:name)}"
begin
  blobs.create_container('lessons')
rescue Azure::Core::Http::HTTPError => e
  puts "again #{e.status_code} #{e.type}"
end

space = "#{client.group}/providers/Microsoft.BatchAI/workspaces/space"
client.put(space, '2018-05-01', location: 'eastus')
client.put("#{space}/experiments/tries", '2018-05-01', {})
cluster = client.put(
  "#{space}/clusters/nodes", '2018-05-01',
  properties: { vmSize: 'STANDARD_NC6', userAccountSettings: { adminUserName: 'ada', adminUserPassword: 'Lovelace-1' },
                scaleSettings: { manual: { targetNodeCount: 1 } } }
)
puts "cluster #{cluster['properties']['provisioningState']}"
root = '$AZ_BATCHAI_JOB_MOUNT_ROOT/bfs'
job = "#{space}/experiments/tries/jobs/lesson"
client.put(
  job, '2018-05-01',
  properties: {
    cluster: { id: cluster['id'] }, nodeCount: 1, stdOutErrPathPrefix: root,
    mountVolumes: { azureBlobFileSystems: [{ accountName: 'miners', containerName: 'lessons', relativeMountPath: 'bfs',
                                             credentials: { accountKey: key } }] },
    inputDirectories: [{ id: 'LESSON', path: "#{root}/digits" }],
    outputDirectories: [{ id: 'MODEL', pathPrefix: root, pathSuffix: 'Models' }],
    customToolkitSettings: { commandLine: "sh $AZ_BATCHAI_INPUT_LESSON/#{File.basename(SCRIPT)} $AZ_BATCHAI_OUTPUT_MODEL" }
  }
)
state = ''
until %w[succeeded failed].include?(state)
  sleep 0.1
  state = client.read(:get, job, '2018-05-01')['properties']['executionState']
end
puts "job #{state}"
listed = client.read(:post, "#{job}/listOutputFiles", '2018-05-01', nil, 'outputdirectoryid' => 'MODEL', 'directory' => '.')
listed['value'].each { |file| puts "model #{URI.parse(file['downloadUrl']).open.read.strip}" }
client.delete(client.group, '2018-05-01')
puts "left #{client.read(:get, client.group.rpartition('/')[0], '2018-05-01')['value']}"
